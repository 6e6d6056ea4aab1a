"""Turns a training run's folder into a checkpoint to check in.

    python export.py base RUN OUT
    python export.py adapter RUN OUT

bf16 weights, sorted configs in the spellings of transformers 4 and 5 alike, no local paths, no generated README, mode 0644.
"""

import json
import os
import shutil
import sys

import torch
from safetensors.torch import load_file, save_file


def read(path):
    with open(path) as file:
        return json.load(file)


def write(path, value):
    with open(path, "w") as file:
        json.dump(value, file, indent=2, sort_keys=True)
        file.write("\n")


def weights(run, out, name):
    # safetensors holds what PEFT and transformers name; only the number format changes.
    tensors = {key: tensor.to(torch.bfloat16).contiguous() for key, tensor in load_file(os.path.join(run, name)).items()}
    save_file(tensors, os.path.join(out, name), metadata={"format": "pt"})


def base(run, out):
    weights(run, out, "model.safetensors")
    config = read(os.path.join(run, "config.json"))
    config["dtype"] = config["torch_dtype"] = "bfloat16"
    # transformers 5 nests theta; transformers 4 and most other readers look for it on top.
    config["rope_theta"] = config["rope_parameters"]["rope_theta"]
    config["use_cache"] = True
    write(os.path.join(out, "config.json"), config)
    generation = {"bos_token_id": 1, "do_sample": False, "eos_token_id": 5, "pad_token_id": 0}
    write(os.path.join(out, "generation_config.json"), generation)
    shutil.copyfile(os.path.join(run, "tokenizer.json"), os.path.join(out, "tokenizer.json"))
    with open(os.path.join(run, "chat_template.jinja")) as file:
        template = file.read()
    with open(os.path.join(out, "chat_template.jinja"), "w") as file:
        file.write(template)
    tokenizer = read(os.path.join(run, "tokenizer_config.json"))
    tokenizer = {
        "added_tokens_decoder": {
            str(token["id"]): {key: token[key] for key in ("content", "lstrip", "normalized", "rstrip", "single_word", "special")}
            for token in read(os.path.join(run, "tokenizer.json"))["added_tokens"]
        },
        "bos_token": "<|bos|>",
        "chat_template": template,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|end|>",
        "model_max_length": tokenizer["model_max_length"],
        "pad_token": "<|pad|>",
        # The name that both transformers 4 and 5 know.
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    write(os.path.join(out, "tokenizer_config.json"), tokenizer)


def adapter(run, out):
    weights(run, out, "adapter_model.safetensors")
    config = read(os.path.join(run, "adapter_config.json"))
    # PEFT writes a set in whatever order it has, and the path it loaded the base from.
    config["target_modules"] = sorted(config["target_modules"])
    config["base_model_name_or_path"] = "desk-base"
    config["inference_mode"] = True
    write(os.path.join(out, "adapter_config.json"), config)


if __name__ == "__main__":
    kind, run, out = sys.argv[1:4]
    os.makedirs(out, exist_ok=True)
    {"base": base, "adapter": adapter}[kind](run, out)
    for name in os.listdir(out):
        os.chmod(os.path.join(out, name), 0o644)
