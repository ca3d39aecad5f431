"""The few settings that use cases need, so that none of them reads the environment."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Terms:
    public_url: str
    http_allowed: bool = False  # development: http and loopback addresses of merchants
    rate_per_minute: int = 300

    def page_of(self, session_id: str) -> str:
        return f"{self.public_url}/pay/{session_id}"
