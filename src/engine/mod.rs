//! Local inference in process: checkpoints, tokenizer, `LoRA`, KV cache and batches on the CPU. Knows no other room but `types`.
