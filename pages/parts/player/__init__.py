"""Examine's player: picture, transport, time axis and filmstrip as one component in the browser."""
