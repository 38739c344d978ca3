import pytest
import torch

from evalkit.metrics import table
from evalkit.metrics.table import Table


@pytest.mark.parametrize("most", [0, 2**20], ids=["file", "memory"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_rows_read_back_as_they_were_written(most, dtype, monkeypatch):
    monkeypatch.setattr(table, "IN_MEMORY", most)
    x = torch.randn(23, 7).to(dtype)
    found = Table(23, 7, dtype)
    found.write(10, x[10:])
    found.write(0, x[:10])
    assert torch.equal(found.read(slice(0, 23)), x)
    assert torch.equal(found.read(slice(9, 12)), x[9:12])
    assert (found._file is None) == bool(most)
