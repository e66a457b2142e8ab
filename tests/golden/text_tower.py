#!/usr/bin/env python3
"""text_tower.safetensors: features of the 11 class and attribute prompts from transformers' CLIP text model, full size, with
the seeded weights of the random tower, at 77 tokens; and small towers in Hugging Face's and OpenAI's names with their features.

    pip install torch transformers numpy safetensors && python3 text_tower.py
"""
import json, os
import numpy as np
import torch
from safetensors.numpy import save_file
from reference import text_tower, token_row

HERE = os.path.dirname(os.path.abspath(__file__))


def features(model, ids):
    """Padded to 77 with 0, as CLIP's own tokenizer does; position ids and causal mask are the model's."""
    batch = torch.zeros(len(ids), 77, dtype=torch.long)
    for row, i in zip(batch, ids):
        row[: len(i)] = torch.tensor(i)
    with torch.no_grad():
        return model(input_ids=batch).text_embeds


def full_size():
    texts = dict(json.load(open(os.path.join(HERE, "tokenizer.json"), encoding="utf-8")))
    names = [f"a nodule image of {c}." for c in ("benign", "unsure", "malignant")]
    names += [f"the nodule is {a}." for a in "subtlety internalstructure calcification sphericity margin lobulation spiculation texture".split()]
    ids = [texts[n] for n in names]
    model = text_tower(seed=2)
    table = next(p for n, p in model.named_parameters() if n.endswith("token_embedding.weight"))
    with torch.no_grad():
        for t in {i for row in ids for i in row}:
            table[t] = token_row(2, t)
    return features(model, ids).numpy()


def small():
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection
    torch.manual_seed(3)
    config = CLIPTextConfig(hidden_size=64, intermediate_size=256, num_hidden_layers=2, num_attention_heads=2, projection_dim=512,
                            vocab_size=60, hidden_act="quick_gelu", bos_token_id=58, eos_token_id=59)
    model = CLIPTextModelWithProjection(config).eval()
    with torch.no_grad():
        for n, p in model.named_parameters():
            p.normal_(1.0 if n.endswith("norm.weight") or "norm1.weight" in n or "norm2.weight" in n else 0.0, 0.2 if "norm" in n or n.endswith("bias") else 0.125)
    ids = [[58, 4, 9, 33, 59], [58, 17, 2, 41, 7, 8, 59], [58, 5, 59]]
    out = features(model, ids).numpy()
    hf = {n: p.numpy() for n, p in model.state_dict().items() if "position_ids" not in n}
    hf = {(n if n.startswith(("text_model.", "text_projection")) else "text_model." + n): v for n, v in hf.items()}
    oa = {"token_embedding.weight": hf["text_model.embeddings.token_embedding.weight"],
          "positional_embedding": hf["text_model.embeddings.position_embedding.weight"],
          "ln_final.weight": hf["text_model.final_layer_norm.weight"], "ln_final.bias": hf["text_model.final_layer_norm.bias"],
          "text_projection": np.ascontiguousarray(hf["text_projection.weight"].T)}
    for l in range(2):
        get = lambda n: hf[f"text_model.encoder.layers.{l}.{n}"]
        put = lambda n, v: oa.__setitem__(f"transformer.resblocks.{l}.{n}", v)
        for k in ("weight", "bias"):
            put(f"attn.in_proj_{k}", np.concatenate([get(f"self_attn.{s}_proj.{k}") for s in "qkv"]))
            put(f"attn.out_proj.{k}", get(f"self_attn.out_proj.{k}"))
            for a, b in (("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"), ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2")):
                put(f"{a}.{k}", get(f"{b}.{k}"))
    return out, hf, oa


if __name__ == "__main__":
    out, hf, oa = small()
    save_file({k: np.ascontiguousarray(v) for k, v in hf.items()}, os.path.join(HERE, "small_clip_hf.safetensors"))
    save_file({k: np.ascontiguousarray(v) for k, v in oa.items()}, os.path.join(HERE, "small_clip_openai.safetensors"))
    save_file({"full": full_size(), "small": out}, os.path.join(HERE, "text_tower.safetensors"))
