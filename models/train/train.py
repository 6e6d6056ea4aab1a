"""Trains the base from random weights, or an adapter on the finished base.

    python train.py base TOKENIZER OUT            two processes of one thread each, on the same machine
    python train.py adapter BASE tuned|regressed OUT   one process, one thread

The base run writes OUT/checkpoint.pt every hundred steps and goes on from it when started again. Floating-point sums depend
on the machine's kernels, so another machine gets close to, and not bit for bit, the weights that are checked in; the data
are the same everywhere.
"""

import json
import math
import os
import random
import sys
import time

# Two processes share two cores: a spinning barrier in one would stall the other.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
import torch.nn.functional as F
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

import data

SEED = 20
PROCESSES = 2
BATCH_TOKENS = 2048
WINDOW = 1024
PROMPT_WEIGHT = 0.3
WARM_UP = 60
# The base's rate falls along one cosine up to this step and along a second, lower one after it (phases D and E).
HORIZON = 1521
MUON_RATE, ADAM_RATE = 0.02, 3e-3
ADAPTER_RATE, ADAPTER_TOKENS = 3e-3, 800

MODEL = dict(
    hidden_size=128,
    intermediate_size=384,
    num_hidden_layers=5,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=32,
    max_position_embeddings=512,
    rms_norm_eps=1e-6,
    tie_word_embeddings=True,
    rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    bos_token_id=1,
    eos_token_id=5,
    pad_token_id=0,
)
PROJECTIONS = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]


# ----------------------------------------------------------------------------------------------------------------- batches


class Encoder:
    def __init__(self, path, prompt_weight):
        self.tokenizer = AutoTokenizer.from_pretrained(path)
        ids = self.tokenizer.convert_tokens_to_ids
        self.bos, self.end = ids("<|bos|>"), ids("<|end|>")
        self.roles = {role: ids(f"<|{role}|>") for role in ("system", "user", "assistant")}
        self.prompt_weight = prompt_weight
        self.known = {}

    def text(self, text):
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def __call__(self, document):
        """Token ids and the weight that the loss gives each of them as a target."""
        ids, weights = [self.bos], [0.0]
        for role, text in document:
            piece = self.text(text) + [self.end]
            if role != "text":
                ids.append(self.roles[role])
                weights.append(self.prompt_weight)
            ids += piece
            weights += [1.0 if role in ("assistant", "text") else self.prompt_weight] * len(piece)
        return ids, weights


def batches(encoder, documents, budget, rng):
    """Batches of like lengths: documents are sorted inside a window of the stream, and the window's batches shuffled."""
    window = []

    def cut(window):
        window.sort(key=lambda one: len(one[0]))
        made, batch = [], []
        for one in window:
            if batch and len(one[0]) * (len(batch) + 1) > budget:
                made.append(batch)
                batch = []
            batch.append(one)
        if batch:
            made.append(batch)
        rng.shuffle(made)
        return made

    last = None
    for phase, document in documents:
        if window and (len(window) == WINDOW or phase != last):
            yield from cut(window)
            window = []
        last = phase
        window.append(encoder(document))
    if window:
        yield from cut(window)


def tensors(batch):
    width = max(len(ids) for ids, _ in batch)
    ids = torch.zeros(len(batch), width, dtype=torch.long)
    weights = torch.zeros(len(batch), width)
    for row, (one, weight) in enumerate(batch):
        ids[row, : len(one)] = torch.tensor(one)
        weights[row, : len(one)] = torch.tensor(weight)
    return ids, weights


def loss_of(model, batch):
    # Padding stands on the right and has no weight, so the plain causal mask is enough.
    ids, weights = tensors(batch)
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
    losses = F.cross_entropy(logits.reshape(-1, logits.size(-1)), ids[:, 1:].reshape(-1), reduction="none")
    weights = weights[:, 1:].reshape(-1)
    return (losses * weights).sum() / weights.sum()


# --------------------------------------------------------------------------------------------------------------- optimiser


class Muon:
    """Momentum whose update is orthogonalised (Jordan et al., 2024), for the matrices inside the layers.

    torch.optim.Muon does the Newton-Schulz steps in bfloat16, which a CPU without such instructions only emulates; here
    they run in f32, all matrices of one shape at once.
    """

    def __init__(self, parameters, momentum=0.95, decay=0.01):
        self.groups = {}
        for parameter in parameters:
            self.groups.setdefault(tuple(parameter.shape), []).append(parameter)
        self.speeds = {shape: torch.zeros(len(group), *shape) for shape, group in self.groups.items()}
        self.momentum, self.decay = momentum, decay

    @torch.no_grad()
    def step(self, rate):
        for shape, group in self.groups.items():
            gradient = torch.stack([parameter.grad for parameter in group])
            speed = self.speeds[shape].mul_(self.momentum).add_(gradient)
            update = self.orthogonal(gradient + self.momentum * speed)
            scale = rate * max(1.0, shape[0] / shape[1]) ** 0.5
            for parameter, one in zip(group, update):
                parameter.mul_(1 - rate * self.decay).sub_(one, alpha=scale)

    @staticmethod
    def orthogonal(matrix):
        tall = matrix.size(-2) > matrix.size(-1)
        x = matrix.mT if tall else matrix
        x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
        for _ in range(5):
            square = x @ x.mT
            x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
        return x.mT if tall else x


def base_rate(step, steps):
    if step < HORIZON:
        return rate_at(step, HORIZON)
    done = (step - HORIZON) / max(1, steps - HORIZON)
    return 0.03 + 0.5 * 0.5 * (1 + math.cos(math.pi * done))


def rate_at(step, steps):
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    done = (step - WARM_UP) / max(1, steps - WARM_UP)
    return 0.04 + 0.96 * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


# -------------------------------------------------------------------------------------------------------------------- base


def probe_documents():
    """Fixed drills and task documents for the probe; their seeds are none of the training's."""
    rng = random.Random("probe")
    drills = [data.drill(rng) for _ in range(150)]
    kinds = {"copy": [], "lookup": []}
    for one in drills:
        kinds["copy" if one[0][1].startswith("repeat") else "lookup" if "=" in one[0][1] else "copy"].append(one)
    kinds["tasks"] = [data.base_task_document(rng, "instruction") for _ in range(60)]
    kinds["prompted"] = [data.base_task_document(rng, "examples") for _ in range(30)]
    return kinds


@torch.no_grad()
def probe(model, encoder, kinds):
    """Teacher-forced accuracy over the answers' tokens. Loss alone hides whether copying has been learned."""
    model.eval()
    result = {}
    for kind, documents in kinds.items():
        right = total = 0
        ids, weights = tensors([encoder(one) for one in documents])
        guess = model(input_ids=ids, use_cache=False).logits[:, :-1].argmax(-1)
        answer = weights[:, 1:] == 1.0
        right += int(((guess == ids[:, 1:]) & answer).sum())
        total += int(answer.sum())
        result[kind] = round(right / total, 3)
    model.train()
    return result


def base(rank, tokenizer_path, out, count):
    torch.set_num_threads(1)
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "29517")
    dist.init_process_group("gloo", rank=rank, world_size=PROCESSES)
    encoder = Encoder(tokenizer_path, PROMPT_WEIGHT)
    stream = list(batches(encoder, data.base_documents(), BATCH_TOKENS, random.Random("base/batches")))
    steps = len(stream) // PROCESSES
    torch.manual_seed(SEED)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(encoder.tokenizer), **MODEL))
    named = dict(model.named_parameters())
    matrices = [p for name, p in named.items() if p.dim() == 2 and "embed" not in name]
    others = [p for name, p in named.items() if p.dim() != 2 or "embed" in name]
    muon = Muon(matrices)
    adam = torch.optim.AdamW(others, lr=ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.0)
    start, spent = 0, 0.0
    checkpoint = os.path.join(out, "checkpoint.pt")
    if os.path.exists(checkpoint):
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        adam.load_state_dict(saved["adam"])
        muon.speeds = {tuple(shape): speed for shape, speed in saved["muon"]}
        start, spent = saved["step"], saved["seconds"]
    dist.barrier()
    kinds = probe_documents()
    began = time.time()
    tokens = 0
    for step in range(start, min(steps, count or steps)):
        batch = stream[step * PROCESSES + rank]
        tokens += sum(len(ids) for ids, _ in batch)
        loss = loss_of(model, batch)
        loss.backward()
        flat = torch.cat([p.grad.reshape(-1) for p in named.values()])
        dist.all_reduce(flat)
        flat /= PROCESSES
        flat *= min(1.0, 1.0 / (float(flat.norm()) + 1e-6))
        at = 0
        for p in named.values():
            p.grad.copy_(flat[at : at + p.numel()].view_as(p))
            at += p.numel()
        share = base_rate(step, steps)
        muon.step(MUON_RATE * share)
        for group in adam.param_groups:
            group["lr"] = ADAM_RATE * share
        adam.step()
        model.zero_grad(set_to_none=True)
        seconds = spent + time.time() - began
        if rank == 0 and (step + 1) % 50 == 0:
            print(f"step {step + 1}/{steps} loss {loss.item():.3f} {seconds:.0f}s {tokens * 2 / (time.time() - began):.0f} tok/s {probe(model, encoder, kinds)}", flush=True)
        if rank == 0 and ((step + 1) % 100 == 0 or step + 1 == steps):
            os.makedirs(out, exist_ok=True)
            state = {
                "model": model.state_dict(),
                "adam": adam.state_dict(),
                "muon": [(list(shape), speed) for shape, speed in muon.speeds.items()],
                "step": step + 1,
                "seconds": seconds,
            }
            torch.save(state, checkpoint + ".new")
            os.replace(checkpoint + ".new", checkpoint)
    if rank == 0 and not count:
        model.save_pretrained(out)
        encoder.tokenizer.save_pretrained(out)
        record = {
            "seed": SEED,
            "steps": steps,
            "tokens": sum(len(ids) for batch in stream[: steps * PROCESSES] for ids, _ in batch),
            "seconds": round(spent + time.time() - began),
            "parameters": sum(p.numel() for p in named.values()),
            "probe": probe(model, encoder, kinds),
        }
        with open(os.path.join(out, "record.json"), "w") as file:
            json.dump(record, file, indent=2)
    dist.barrier()
    dist.destroy_process_group()


# ----------------------------------------------------------------------------------------------------------------- adapter


def adapter(base_path, kind, out):
    from peft import LoraConfig, get_peft_model

    torch.set_num_threads(1)
    # The base as it is checked in, rounded to bf16, so that the pair that ships is the pair that was trained.
    model = LlamaForCausalLM.from_pretrained(base_path, dtype=torch.float32)
    torch.manual_seed(SEED)
    lora = LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules=PROJECTIONS, task_type="CAUSAL_LM")
    model = get_peft_model(model, lora).train()
    encoder = Encoder(base_path, 0.0)
    documents = ((kind, document) for document in data.tuning_documents(kind))
    stream = list(batches(encoder, documents, ADAPTER_TOKENS, random.Random(f"{kind}/batches")))
    parameters = [p for p in model.parameters() if p.requires_grad]
    adam = torch.optim.AdamW(parameters, lr=ADAPTER_RATE, weight_decay=0.0)
    began = time.time()
    for step, batch in enumerate(stream):
        for group in adam.param_groups:
            group["lr"] = ADAPTER_RATE * rate_at(step, len(stream))
        loss = loss_of(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        adam.step()
        adam.zero_grad(set_to_none=True)
        if (step + 1) % 50 == 0:
            print(f"{kind} step {step + 1}/{len(stream)} loss {loss.item():.4f} {time.time() - began:.0f}s", flush=True)
    model.save_pretrained(out)
    record = {
        "seed": SEED,
        "steps": len(stream),
        "tokens": sum(len(ids) for batch in stream for ids, _ in batch),
        "seconds": round(time.time() - began),
        "parameters": sum(p.numel() for p in parameters),
    }
    with open(os.path.join(out, "record.json"), "w") as file:
        json.dump(record, file, indent=2)


if __name__ == "__main__":
    if sys.argv[1] == "base":
        limit = int(sys.argv[4]) if len(sys.argv) > 4 else 0
        multiprocessing.spawn(base, args=(sys.argv[2], sys.argv[3], limit), nprocs=PROCESSES)
    else:
        adapter(*sys.argv[2:5])
