from __future__ import annotations

import subprocess
import sys

import pytest

from services.adapters.base import Adapter, Connection
from services.adapters.echo import EchoAdapter
from services.adapters.registry import ADAPTERS, adapter_class
from services.models import Service


@pytest.mark.parametrize("kind", ADAPTERS)
def test_every_kind_has_an_adapter_that_can_be_made(kind: str) -> None:
    adapter = adapter_class(kind)(Connection(service="s", base_url="http://localhost:1", command=("true",)))

    assert isinstance(adapter, Adapter)
    adapter.close()


def test_every_kind_of_service_has_an_adapter() -> None:
    kinds = {*Service.Api.values, *Service.Type.values} - {Service.Type.HTTP}

    assert kinds == ADAPTERS.keys()


def test_a_kind_is_the_same_class_every_time() -> None:
    assert adapter_class("builtin") is adapter_class("builtin") is EchoAdapter


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(LookupError) as caught:
        adapter_class("carrier_pigeon")

    assert "'carrier_pigeon'" in str(caught.value)
    assert all(kind in str(caught.value) for kind in ADAPTERS)


def test_only_the_adapter_that_is_used_is_imported() -> None:
    program = (
        "import sys; from services.adapters.registry import adapter_class; adapter_class('builtin'); "
        "print(sorted(name for name in sys.modules if name in ('pycurl', 'services.adapters.echo')))"
    )

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert result.stdout.strip() == "['services.adapters.echo']"
