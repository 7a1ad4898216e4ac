"""The conversations of a run, followed from its start."""

from traces import Told, answering, asking, came_back, error, request, response, said, traced, use

from trace_cli import following
from trace_cli.following import Conversations, New

U1 = said("user", "Write.")
A1 = said("assistant", [use("t1", "search", query="a")])
R1 = said("user", [came_back("t1", "found")])
A2 = said("assistant", [use("t2", "search", query="b")])
R2 = said("user", [came_back("t2", "found more")])


def followed(*told: Told) -> list[New]:
    """What is new in each request."""
    conversations = Conversations()
    found = []
    for event in traced(*told):
        if event.type == "model.request":
            found.append(conversations.request(event))
        else:
            conversations.answered(event)
    return found


def numbers(found: list[New]) -> list[int]:
    return [each.conversation.number for each in found]


def answer(call: str, sent: Told) -> Told:
    return response(call, answering(*sent["content"]))


def test_of_a_request_the_messages_are_new_that_are_no_echo() -> None:
    found = followed(
        request("c1", asking(U1)),
        answer("c1", A1),
        request("c2", asking(U1, A1, R1)),
        answer("c2", A2),
        request("c3", asking(U1, A1, R1, A2, R2, max_tokens=9)),
    )
    assert numbers(found) == [0, 0, 0]
    assert [each.places for each in found] == [[0], [2], [4]]
    assert [each.changed for each in found] == [["model", "system"], [], ["max_tokens"]]
    assert [each.dropped for each in found] == [0, 0, 0]


def test_an_answer_that_was_edited_or_never_seen_is_new() -> None:
    edited = said("assistant", [use("t9", "search", query="z")])
    asked = [request("c1", asking(U1)), answer("c1", A1), request("c2", asking(U1, edited, R1))]
    assert followed(*asked)[1].places == [1, 2]
    assert followed(asked[0], asked[2])[1].places == [1, 2]


def test_another_attempt_brings_what_the_first_one_did() -> None:
    found = followed(
        request("c1", asking(U1)),
        answer("c1", A1),
        request("c2", asking(U1, A1, R1)),
        error("c2"),
        request("c3", asking(U1, A1, R1)),
        answer("c3", A2),
        request("c4", asking(U1, A1, R1, A2, R2)),
    )
    assert numbers(found) == [0, 0, 0, 0]
    assert [each.places for each in found] == [[0], [2], [2], [4]]


def test_the_same_words_again_are_a_conversation_of_their_own() -> None:
    found = followed(
        request("c1", asking(U1)),
        answer("c1", A1),
        request("c2", asking(U1)),
        answer("c2", A2),
        request("c3", asking(U1, A1, R1)),
        request("c4", asking(U1, A2, R2)),
    )
    assert numbers(found) == [0, 1, 0, 1]
    assert [each.places for each in found] == [[0], [0], [2], [2]]


def test_two_in_flight_are_concurrent() -> None:
    conversations = Conversations()
    one, two, three = traced(
        request("c1", asking(U1)),
        request("c2", asking(said("user", "Read."))),
        request("c3", asking(said("user", "X"))),
    )
    conversations.request(one)
    conversations.request(two)
    assert conversations.concurrent == {0, 1}
    for event in traced(answer("c1", A1), answer("c2", A2)):
        conversations.answered(event)
    conversations.request(three)
    assert conversations.concurrent == {0, 1}


def test_a_request_that_is_never_answered_is_not_in_flight_for_ever() -> None:
    conversations = Conversations()
    for event in traced(request("c1", asking(U1)), request("c2", asking(U1, A1, R1))):
        conversations.request(event)
    for event in traced(answer("c2", A2)):
        conversations.answered(event)
    for event in traced(request("c3", asking(said("user", "Read.")))):
        conversations.request(event)
    assert [each.number for each in conversations.all] == [0, 1]
    assert conversations.concurrent == set()


def test_messages_that_were_dropped_are_counted() -> None:
    found = followed(
        request("c1", asking(U1, A1, R1)),
        answer("c1", A2),
        request("c2", asking(R1, A2, R2)),
    )
    assert numbers(found) == [0, 0]
    assert (found[1].places, found[1].dropped) == ([2], 2)


def test_a_conversation_that_was_compacted_goes_on() -> None:
    summary = "What was found so far: revenue of 31 M in the first quarter, and none in APAC."
    found = followed(
        request("c1", asking(U1, A1, R1)),
        response("c1", answering(summary)),
        request("c2", asking(said("user", f"Go on from here. {summary}"))),
    )
    assert numbers(found) == [0, 0]
    assert (found[1].places, found[1].dropped) == ([0], 3)


def test_another_prompt_is_another_conversation() -> None:
    found = followed(
        request("c1", asking(U1, A1, R1)), answer("c1", A2), request("c2", asking(R1, system="You are another."))
    )
    assert numbers(found) == [0, 1]


def test_what_the_api_keeps_goes_on_by_the_id_of_its_response() -> None:
    def asked(call: str, words: str, before: str | None = None) -> Told:
        return request(call, {"model": "m", "input": words, "previous_response_id": before})

    found = followed(
        asked("c1", "Write."),
        response("c1", {"id": "r1", "output": []}),
        asked("c2", "Read."),
        response("c2", {"id": "r2", "output": []}),
        asked("c3", "Write.", "r2"),
        asked("c4", "Write.", "r1"),
        asked("c5", "Lost.", "r9"),
    )
    assert numbers(found) == [0, 1, 1, 0, 2]
    assert [(each.places, each.changed, each.dropped) for each in found[2:]] == [
        ([0], [], 0),
        ([0], [], 0),
        ([0], ["model"], 0),
    ]


def test_leading_system_prompts_are_no_messages() -> None:
    system = said("system", "Be brief.")
    body = {"model": "m", "messages": [system, "odd", U1]}
    other = {"model": "m", "messages": [said("system", "Be long."), "odd", U1, A1, R1]}
    found = followed(request("c1", body), answer("c1", A1), request("c2", other))
    assert numbers(found) == [0, 0]
    assert [(each.prompts, each.places, each.changed) for each in found] == [
        ([0], [2], ["model", "messages"]),
        ([0], [4], ["messages"]),
    ]


def test_only_the_last_conversations_are_kept_in_memory() -> None:
    conversations = Conversations()
    told = [request(f"c{each}", asking(said("user", f"Task {each}."))) for each in range(following.REACH + 10)]
    for event in traced(*told):
        conversations.request(event)
    assert len(conversations.all) == len(told)
    assert sum(bool(each.sent.messages) for each in conversations.all) == following.REACH
