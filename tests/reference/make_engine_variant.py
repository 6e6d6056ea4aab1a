#!/usr/bin/env python3
"""Writes tests/fixtures/engine/variant: the turns of the Llama architecture that the two other fixtures do not take.

    python tests/reference/make_engine_variant.py tests/fixtures/engine/variant

Needs torch, transformers, peft (models/train/requirements.txt); runs in seconds. Biases everywhere, linear RoPE scaling, an
explicit head_dim that is neither hidden/heads nor a multiple of eight, three query heads to one key head, sizes that fill no
vector, f16 weights, several end ids, f32 adapters with rsLoRA and a regular expression, and with rank and alpha patterns.
The tokenizer is that of `tied`, which the test copies.
"""
import json
import os
import shutil
import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

ADAPTERS = {
    "rslora": dict(r=5, lora_alpha=8, use_rslora=True, target_modules=r".*\.(q_proj|k_proj|up_proj)"),
    "pattern": dict(
        r=3,
        lora_alpha=6,
        target_modules=["q_proj", "v_proj", "o_proj", "down_proj"],
        rank_pattern={"o_proj": 2, r"layers\.1\.mlp\.down_proj": 7},
        alpha_pattern={"o_proj": 16},
        layers_to_transform=[1],
    ),
}
PROMPTS = [[1], list(range(7, 50, 3)), [(i * 37 + 11) % 362 for i in range(90)]]


def randomise(model):
    for name, tensor in model.named_parameters():
        if tensor.dim() == 1:
            tensor.data.uniform_(-0.3, 0.3) if "bias" in name else tensor.data.uniform_(0.5, 1.5)


def logits(model):
    with torch.inference_mode():
        return [[float(x) for x in model(torch.tensor([ids])).logits[0, -1].float()] for ids in PROMPTS]


def main(out):
    shutil.rmtree(out, ignore_errors=True)
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=362,
        hidden_size=21,
        intermediate_size=44,
        num_hidden_layers=2,
        num_attention_heads=3,
        num_key_value_heads=1,
        head_dim=12,
        max_position_embeddings=128,
        attention_bias=True,
        mlp_bias=True,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0},
        rms_norm_eps=1e-5,
        bos_token_id=1,
        eos_token_id=[5, 2],
        pad_token_id=0,
        initializer_range=0.2,
    )
    model = LlamaForCausalLM(config).eval()
    randomise(model)
    model.to(torch.float16).save_pretrained(out)
    # Loaded anew, since a cast model would keep a rounded table of rotary frequencies.
    load = lambda: LlamaForCausalLM.from_pretrained(out, dtype=torch.float32).eval()
    expected = {"prompts": PROMPTS, "logits": {"base": logits(load())}}
    for name, settings in ADAPTERS.items():
        torch.manual_seed(11)
        adapted = get_peft_model(load(), LoraConfig(task_type="CAUSAL_LM", **settings)).eval()
        for key, tensor in adapted.named_parameters():
            if "lora_B" in key:
                tensor.data.normal_(0, 0.2)
        adapted.save_pretrained(f"{out}/{name}")
        os.remove(f"{out}/{name}/README.md")
        path = f"{out}/{name}/adapter_config.json"
        with open(path) as file:
            saved = json.load(file)
        saved["base_model_name_or_path"] = ".."
        if isinstance(saved["target_modules"], list):
            saved["target_modules"].sort()
        with open(path, "w") as file:
            json.dump(saved, file, indent=2, sort_keys=True)
            file.write("\n")
        expected["logits"][name] = logits(adapted)
    with open(f"{out}/expected.json", "w") as file:
        json.dump(expected, file, sort_keys=True)
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
