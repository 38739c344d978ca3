import torch
from helpers.near import same

from evalkit.tokenizers.gumbel import F8, TamingGumbel
from evalkit.tokenizers.nets.taming import TamingConfig
from evalkit.tokenizers.registry import TOKENIZERS
from evalkit.tokenizers.taming import VqganConfig

TINY = VqganConfig(TamingConfig(ch=32, mult=(1, 2), blocks=1, z=12, attention=frozenset({1})), codes=40, code_dim=10)


def load(tiny):
    def wrap(state):
        return {"state_dict": {**state, "loss.logvar": torch.zeros(())}}

    config = VqganConfig(TINY.net, codes=40, code_dim=12)
    return tiny(TamingGumbel, config, weights="taming-gumbel-f8-8192", wrap=wrap, suffix=".ckpt")


def test_the_best_scored_code_is_chosen_and_its_row_is_decoded(tiny):
    model = load(tiny)
    x = torch.rand(2, 3, 8, 12)
    codes = model.encode(x)
    network = model.network
    with torch.no_grad():
        z = network.quant_conv(network.encoder(x * 2 - 1))
        scores = torch.einsum("bchw,nc->bhwn", z, network.quantize.proj.weight[:, :, 0, 0]) + network.quantize.proj.bias
        best = scores.argmax(-1)
        shown = network.decoder(network.post_quant_conv(network.quantize.embed.weight[best].permute(0, 3, 1, 2)))
    assert torch.equal(codes.indices, best.flatten(1))
    assert len(best.unique()) > 2
    same(model.decode(codes), (shown + 1) / 2)


def test_codes_are_the_most_frequent_ones_of_the_official_noisy_choice(tiny):
    model = load(tiny)
    x = torch.rand(1, 3, 8, 8)
    chosen = model.encode(x).indices[0]
    with torch.no_grad():
        z = model.network.quant_conv(model.network.encoder(x * 2 - 1))
        scores = model.network.quantize.proj(z)[0].flatten(1).t()
        torch.manual_seed(0)
        noisy = torch.nn.functional.gumbel_softmax(4 * scores.repeat(4000, 1, 1), hard=True).argmax(-1)
    assert torch.equal(noisy.mode(0).values[:4], chosen[:4])


def test_names_and_sizes_are_the_official_ones():
    assert TOKENIZERS.get("taming-gumbel-f8-8192").config == F8
    with torch.device("meta"):
        state = TamingGumbel.build(F8).state_dict()
    assert state["quantize.proj.weight"].shape == (8192, 256, 1, 1)
    assert state["quantize.embed.weight"].shape == (8192, 256)
    assert "encoder.down.3.attn.1.q.weight" in state
    assert "encoder.down.2.attn.0.q.weight" not in state
