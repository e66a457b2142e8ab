#!/usr/bin/env python3
"""small_bert.safetensors, small_biomedclip.safetensors: seeded towers of BERT's kind in Hugging Face's and in open_clip's names;
bert.safetensors: their features by transformers, whole prompts and with context in place of the four tokens after the first, and the
gradient of the context.

    pip install torch transformers numpy safetensors && python3 bert.py
"""
import os
import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel

HERE = os.path.dirname(os.path.abspath(__file__))
WIDTH, OUTPUT = 24, 20
# start 1, end 2, padding 0; of three lengths, not in their order
PROMPTS = [[1, 4, 9, 23, 5, 6, 7, 8, 2], [1, 4, 9, 23, 5, 10, 11, 2], [1, 4, 9, 23, 5, 12, 13, 14, 2], [1, 4, 9, 23, 5, 6, 2]]


def seeded(seed):
    torch.manual_seed(seed)
    config = BertConfig(hidden_size=WIDTH, intermediate_size=48, num_hidden_layers=2, num_attention_heads=3, vocab_size=30,
                        max_position_embeddings=12, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model = BertModel(config, add_pooling_layer=False).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.normal_(1.0 if name.endswith("LayerNorm.weight") else 0.0, 0.2)
    projection = torch.nn.Sequential(torch.nn.Linear(WIDTH, (WIDTH + OUTPUT) // 2, bias=False), torch.nn.GELU(),
                                     torch.nn.Linear((WIDTH + OUTPUT) // 2, OUTPUT, bias=False))
    return model, projection


def features(model, head, context=None):
    """Padded to one length and masked, as these models are run; `context` [n, 4, width] replaces word embeddings 1..4 of each."""
    longest = max(map(len, PROMPTS))
    ids = torch.tensor([p + [0] * (longest - len(p)) for p in PROMPTS])
    mask = (ids != 0).long()
    words = model.embeddings.word_embeddings(ids)
    if context is None:
        return head(model(inputs_embeds=words, attention_mask=mask).last_hidden_state, mask)
    each = []
    for c in context:
        replaced = torch.cat([words[:, :1], c.expand(len(PROMPTS), 4, WIDTH), words[:, 5:]], 1)
        each.append(head(model(inputs_embeds=replaced, attention_mask=mask).last_hidden_state, mask))
    return torch.stack(each)


def mean(hidden, mask):
    m = mask.unsqueeze(-1).float()
    return (hidden * m).sum(1) / m.sum(1)


def main():
    golden = {"context": 0.3 * torch.randn(2, 4, WIDTH, generator=torch.Generator().manual_seed(5))}
    for name, width in (("mean", WIDTH), ("projected", OUTPUT)):
        model, projection = seeded(7 if name == "mean" else 8)
        head = mean if name == "mean" else lambda hidden, _: projection(hidden[:, 0])
        weight = torch.randn(2, len(PROMPTS), width, generator=torch.Generator().manual_seed(6))
        context = golden["context"].clone().requires_grad_()
        out = features(model, head, context)
        (out * weight).sum().backward()
        golden |= {f"{name}.whole": features(model, head), f"{name}.conditional": out, f"{name}.weight": weight, f"{name}.gradient": context.grad}
        state = model.state_dict()
        if name == "mean":
            save_file(state, os.path.join(HERE, "small_bert.safetensors"))
        else:
            whole = {f"text.transformer.{k}": v for k, v in state.items()} | {f"text.proj.{k}": v for k, v in projection.state_dict().items()}
            # what such a file holds beyond the text tower
            whole |= {"text.transformer.embeddings.position_ids": torch.arange(12), "visual.trunk.norm.weight": torch.ones(3), "logit_scale": torch.tensor(4.6)}
            save_file(whole, os.path.join(HERE, "small_biomedclip.safetensors"))
    save_file({k: v.detach().contiguous() for k, v in golden.items()}, os.path.join(HERE, "bert.safetensors"))


if __name__ == "__main__":
    main()
