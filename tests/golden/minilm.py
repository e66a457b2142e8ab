#!/usr/bin/env python3
"""minilm.json: 20 texts with the word pieces of all-MiniLM-L6-v2's own tokenizer, padding off; minilm.safetensors: their sentence
embeddings by transformers with the real weights (mean over the tokens, then L2).

    pip install torch transformers numpy safetensors && python3 minilm.py $(sh minilm.sh)
"""
import json, os, sys
import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
TEXTS = [f"a nodule image of {c}." for c in ("benign", "unsure", "malignant")]
TEXTS += [f"the nodule is {w}." for w in ("subtlety", "internal structure", "calcification", "sphericity", "margin", "lobulation",
                                          "spiculation", "texture", "malignancy")]
TEXTS += [
    "A solid nodule of 8 mm in the right upper lobe.",
    "Ground-glass opacity, unchanged since 2019; follow-up in 12 months?",
    "caf\u00e9 na\u00efve \u2014 S\u00c3O PAULO",
    "The margin is poorly defined.\n\tSpiculated, with pleural tags",
    "3 \u00d7 4 mm\u00b2, 1.5\u00b5m slices (HU: -650)",
    "!",
    "pneumonoultramicroscopicsilicovolcanoconiosis",
    "word " * 60,
]

if __name__ == "__main__":
    tokenizer, model = AutoTokenizer.from_pretrained(sys.argv[1]), AutoModel.from_pretrained(sys.argv[1]).eval()
    ids = [tokenizer(t, padding=False, truncation=False)["input_ids"] for t in TEXTS]
    assert len(ids) == 20
    batch = tokenizer(TEXTS, padding=True, truncation=False, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1).float()
    mean = (hidden * mask).sum(1) / mask.sum(1)
    save_file({"embeddings": torch.nn.functional.normalize(mean, dim=1).contiguous()}, os.path.join(HERE, "minilm.safetensors"))
    with open(os.path.join(HERE, "minilm.json"), "w", encoding="utf-8") as f:
        f.write("[\n" + ",\n".join(json.dumps([t, i]) for t, i in zip(TEXTS, ids)) + "\n]\n")
