"""The list of models, as each dialect shows it."""

from __future__ import annotations

from gateway import model_list
from gateway.model_pages import ModelPage
from gateway.names import Offer

OFFERS = (Offer("auto", "oxide"), Offer("first/meta/llama:70b", "first"))
PAGE = ModelPage(OFFERS)


def test_openais_has_an_id_an_owner_and_a_number_that_stays() -> None:
    told = model_list.openai(PAGE)
    assert told["object"] == "list"
    assert [(each["id"], each["object"], each["owned_by"]) for each in told["data"]] == [
        ("auto", "model", "oxide"),
        ("first/meta/llama:70b", "model", "first"),
    ]
    assert model_list.openai(PAGE) == told
    assert all(type(each["created"]) is int for each in told["data"])


def test_anthropics_says_where_it_begins_and_ends() -> None:
    told = model_list.anthropic(PAGE)
    assert (told["first_id"], told["last_id"], told["has_more"]) == ("auto", "first/meta/llama:70b", False)
    assert [(each["type"], each["id"], each["display_name"]) for each in told["data"]] == [
        ("model", offer.id, offer.id) for offer in OFFERS
    ]


def test_an_empty_list_begins_and_ends_nowhere() -> None:
    assert model_list.openai(ModelPage(()))["data"] == []
    told = model_list.anthropic(ModelPage(()))
    assert (told["data"], told["first_id"], told["last_id"]) == ([], None, None)


def test_one_entry_is_the_same_as_in_the_list() -> None:
    assert [model_list.openai_entry(offer) for offer in OFFERS] == model_list.openai(PAGE)["data"]
    assert [model_list.anthropic_entry(offer) for offer in OFFERS] == model_list.anthropic(PAGE)["data"]
