#!/usr/bin/env python3
"""Writes the engine's reference fixtures: two tiny random checkpoints, each with an adapter, and what transformers says of them.

    python tests/reference/make_engine_fixtures.py tests/fixtures/engine

Needs torch, transformers, peft, tokenizers, safetensors (models/train/requirements.txt). Runs in seconds on a CPU. The Rust
tests only read what it wrote; nothing but this file needs Python.

  tied/   tied embeddings, plain RoPE, config.json as transformers 5 writes it
  llama3/ its own lm_head, llama3 RoPE scaling, config.json as transformers 4 wrote it (rope_theta and rope_scaling on top)

Each holds config.json, model.safetensors (bf16), tokenizer.json, chat_template.jinja, adapter/ (PEFT LoRA over all seven
projections, bf16) and expected.json.
"""
import json
import os
import shutil
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import logging as transformers_logging
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SPECIAL = ["<|pad|>", "<|bos|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
# The split of Qwen2: every digit stands alone, so that part numbers are spelled and never memorised whole.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PROJECTIONS = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]
CORPUS = [
    "the pump at bay four is leaking again, please send a fitter",
    "which part number does the shop call the clicker",
    "refund the order within thirty days of the invoice",
    "the answer is the same as the golden answer",
] * 8

# One prompt of a single token, and lengths up to 63, with digits, accents, a line break, an emoji and special tokens.
PROMPTS = [
    "<|bos|>",
    "<|bos|>the pump",
    "part RX417 is leaking",
    "<|bos|><|user|>Which part?<|end|><|assistant|>",
    "Za\u017c\u00f3\u0142\u0107 na\u00efve \U0001f600\n\n  two  spaces, it's 1,024",
    "<|bos|><|system|>be brief<|end|><|user|>refund the order within thirty days, please; the invoice is 20417 of bay 4<|end|><|assistant|>",
    "the answer is the same as the golden answer, which part number does the shop call the clicker? send a fitter, refund 7 of 30 orders, 20417 and 88213, to the shop at bay 4",
]
CONVERSATIONS = [
    ([{"role": "user", "content": "Which part?"}], True),
    ([{"role": "system", "content": " be brief \n"}, {"role": "user", "content": "refund <order> & \"co\"?"}], True),
    (
        [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "pump?"},
            {"role": "assistant", "content": "RX417"},
            {"role": "user", "content": "and bay 4?\nthanks"},
        ],
        False,
    ),
]

# Chosen so that along every greedy path the best token leads the second by more than MIN_GAP; an implementation that sums
# in another order then still walks the same path. `--search` finds them anew.
SEEDS = {"tied": 5, "llama3": 14}
MIN_GAP = 0.02
GREEDY = 16


def make_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=362,
        special_tokens=SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|bos|>", eos_token="<|end|>", pad_token="<|pad|>"
    )
    wrapped.chat_template = TEMPLATE
    return wrapped


def make_config(name, vocab):
    common = dict(
        vocab_size=vocab,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        bos_token_id=1,
        eos_token_id=5,
        pad_token_id=0,
        initializer_range=0.2,
    )
    if name == "tied":
        return LlamaConfig(**common, tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": 10000.0})
    scaling = dict(
        rope_type="llama3",
        rope_theta=5000.0,
        factor=4.0,
        low_freq_factor=1.0,
        high_freq_factor=4.0,
        original_max_position_embeddings=32,
    )
    return LlamaConfig(**common, tie_word_embeddings=False, rope_parameters=scaling)


def spell_as_transformers_4(path):
    """Rewrites config.json in the older spelling; both are in the wild and a loader must take either."""
    with open(path) as file:
        config = json.load(file)
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = rope
    config["torch_dtype"] = config.pop("dtype")
    write_json(path, config)


def write_json(path, value, **how):
    with open(path, "w") as file:
        json.dump(value, file, sort_keys=True, **(how or {"indent": 2}))
        file.write("\n")


def logits(model, ids):
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0].float()


def greedy(model, ids):
    ids, gap = list(ids), float("inf")
    for _ in range(GREEDY):
        top = logits(model, ids)[-1].topk(2)
        gap = min(gap, float(top.values[0] - top.values[1]))
        ids.append(int(top.indices[0]))
    return ids[-GREEDY:], gap


def exact(row):
    """The shortest decimal that reads back as the same f32."""
    import numpy

    return [float(str(numpy.float32(value))) for value in row.tolist()]


def make(name, out, tokenizer, seed):
    path = os.path.join(out, name)
    shutil.rmtree(path, ignore_errors=True)
    torch.manual_seed(seed)
    model = LlamaForCausalLM(make_config(name, len(tokenizer))).eval()
    for key, tensor in model.named_parameters():
        if tensor.dim() == 1:
            # A norm weight of exactly one would hide a forgotten multiplication.
            tensor.data.uniform_(0.5, 1.5)
        elif "embed_tokens" in key or "lm_head" in key:
            # Widely spread logits: with narrow ones no seed keeps every greedy step clear of a near tie.
            tensor.data.normal_(0, 1.0)
    model.to(torch.bfloat16).save_pretrained(path)
    tokenizer.save_pretrained(path)
    if name == "llama3":
        spell_as_transformers_4(os.path.join(path, "config.json"))

    # Reload instead of `.float()`: the cast to bf16 also rounded RoPE's inverse frequencies, and no file stores those.
    base = LlamaForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
    lora = LoraConfig(r=4, lora_alpha=8, target_modules=PROJECTIONS, task_type="CAUSAL_LM", lora_dropout=0.0)
    tuned = get_peft_model(LlamaForCausalLM.from_pretrained(path, dtype=torch.float32), lora).eval()
    for key, tensor in tuned.named_parameters():
        if "lora_B" in key:
            # PEFT starts B at zero, which would make the adapter the identity.
            tensor.data.normal_(0, 0.2)
    adapter = os.path.join(path, "adapter")
    tuned.save_pretrained(adapter)
    tidy_adapter(adapter)
    tuned = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(path, dtype=torch.float32), adapter)
    tuned = tuned.float().eval()

    smallest = float("inf")
    prompts = []
    for text in PROMPTS:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        if smallest <= MIN_GAP:
            return smallest
        row = {"text": text, "ids": ids, "middle": len(ids) // 2}
        for role, one in (("base", base), ("adapter", tuned)):
            table = logits(one, ids)
            continuation, gap = greedy(one, ids)
            smallest = min(smallest, gap)
            row[role] = {
                "last_logits": exact(table[-1]),
                "middle_logits": exact(table[len(ids) // 2]),
                "greedy_ids": continuation,
                "greedy_text": tokenizer.decode(continuation),
                "smallest_top2_gap": round(gap, 6),
            }
        prompts.append(row)
    conversations = []
    for messages, generate in CONVERSATIONS:
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=generate)
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        conversations.append({"messages": messages, "add_generation_prompt": generate, "text": text, "ids": ids})
    expected = {
        "made_by": "tests/reference/make_engine_fixtures.py",
        "note": "f32 arithmetic over the stored bf16 weights; logits are shortest decimals of f32",
        "seed": seed,
        "prompts": prompts,
        "conversations": conversations,
    }
    write_json(os.path.join(path, "expected.json"), expected, separators=(",", ":"))
    for folder, _, files in os.walk(path):
        for file in files:
            os.chmod(os.path.join(folder, file), 0o644)
    return smallest


def tidy_adapter(path):
    """Removes what would differ between two runs: PEFT's order of a set, a local path, a generated README."""
    os.remove(os.path.join(path, "README.md"))
    config_path = os.path.join(path, "adapter_config.json")
    with open(config_path) as file:
        config = json.load(file)
    config["target_modules"] = sorted(config["target_modules"])
    config["base_model_name_or_path"] = ".."
    write_json(config_path, config)
    weights = os.path.join(path, "adapter_model.safetensors")
    tensors = {key: tensor.to(torch.bfloat16) for key, tensor in load_file(weights).items()}
    save_file(tensors, weights, metadata={"format": "pt"})


def main():
    out = sys.argv[1]
    torch.set_num_threads(1)
    transformers_logging.disable_progress_bar()
    tokenizer = make_tokenizer()
    for name, seed in SEEDS.items():
        if "--search" in sys.argv:
            while make(name, out, tokenizer, seed) <= MIN_GAP:
                seed += 1
        gap = make(name, out, tokenizer, seed)
        lengths = [len(tokenizer(text)["input_ids"]) for text in PROMPTS]
        print(f"{name}: seed {seed}, smallest top-2 gap {gap:.4f}, prompt lengths {lengths}, vocabulary {len(tokenizer)}")
        if gap <= MIN_GAP:
            sys.exit(f"{name}: seed {seed} leaves a gap of {gap:.4f}; run again with --search and write the seed down")


if __name__ == "__main__":
    main()
