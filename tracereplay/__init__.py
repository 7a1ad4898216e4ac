"""Answers from a trace what an agent asks again. Its door is `from agent_replay_trace import Replay`."""
