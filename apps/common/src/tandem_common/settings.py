"""Configuration: environment variables, and secrets as files in systemd's credentials directory."""

import os
from typing import Self

from pydantic import BaseModel, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """What every service is told. A field `x` comes from the variable `X` or from the credential file `x`."""

    # Values are never echoed in an error: one of them may be a secret.
    model_config = SettingsConfigDict(case_sensitive=False, extra="ignore", hide_input_in_errors=True)

    service_name: str = "service"
    host_name: str = "localhost"
    site: str = "local"
    platform: str = "local"
    tandem_release: str = ""
    """Which release runs, as the platform names it."""
    metrics_socket: str | None = None
    """Where a process without a port shows its metrics: path of a Unix socket."""
    log_level: str = Field(default="info", pattern=r"(?i)^(debug|info|warning|error|critical)$")

    @classmethod
    def load(cls) -> Self:
        """Read the environment and $CREDENTIALS_DIRECTORY; raises ValidationError naming each bad field."""
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        return cls(_secrets_dir=directory) if directory else cls()


class DatabaseSettings(ServiceSettings):
    """A service that has a database of its own."""

    database_dsn: str = Field(min_length=1)
    """libpq key=value string of the read-write primary, all hosts, without a password."""
    database_read_dsn: str | None = None
    """For reads that may be slightly old: any node, own site first. Default: the hosts of database_dsn."""
    database_password: SecretStr | None = None
    database_pool: int = Field(default=5, ge=2, le=100)
    """Largest number of connections of this process, over both kinds."""
    write_wait_seconds: float = Field(default=3.0, gt=0, le=30)
    """How long a write may wait for a primary, all attempts together, before it is answered 503."""
    commit_wait_seconds: float = Field(default=3.0, gt=0, le=30)
    """How long a COMMIT may wait for its answer; after that its outcome is unknown."""
    read_wait_seconds: float = Field(default=3.0, gt=0, le=30)
    ready_grace_seconds: float = Field(default=15.0, ge=0, le=600)
    """/health/ready stays 200 for this long after the last node that could be read went away."""


class CacheSettings(ServiceSettings):
    """A service that may keep copies in Valkey. Without a host it keeps none."""

    valkey_host: str | None = None
    """TLS; the name that its certificate has."""
    valkey_port: int = Field(default=6379, ge=1, le=65535)
    valkey_user: str | None = None
    """Also the start of all keys, with a colon."""
    valkey_password: SecretStr | None = None
    valkey_ca: str | None = None
    """File of the authority that signed its certificate."""
    valkey_answer_ms: int = Field(default=50, ge=1, le=10_000)
    """How long an answer may take; the database takes about as long."""
    valkey_connect_ms: int = Field(default=200, ge=1, le=10_000)
    """How long a connection may take. It is rare, and costs both sides some milliseconds of processor."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.valkey_host is not None:
            missing = [
                name for name in ("valkey_user", "valkey_password", "valkey_ca") if not getattr(self, name)
            ]
            if missing:
                raise ValueError(f"valkey_host needs {', '.join(missing)}")
        return self


class ConsumeSettings(BaseModel):
    """How a service consumes one type of event."""

    queue: str = Field(min_length=1)
    retries: int = Field(default=5, ge=0, le=100)
    """How often a failed message is tried again before it goes to the dead-letter queue."""


class BrokerSettings(DatabaseSettings):
    """A service that publishes or consumes events."""

    broker_hosts: str = Field(min_length=1, pattern=r"^[^,:\s]+:\d+(,[^,:\s]+:\d+)*$")
    """`host:port,host:port`, TLS, own site first."""
    broker_user: str = Field(min_length=1)
    broker_password: SecretStr
    broker_vhost: str = "tandem"
    broker_ca: str = Field(min_length=1)
    """File of the authority that signed the broker's certificates."""
    broker_heartbeat_s: int = Field(default=10, ge=1, le=300)
    broker_tcp_user_timeout_ms: int = Field(default=10_000, ge=100, le=300_000)
    broker_connect_timeout_s: float = Field(default=2.0, gt=0, le=60)
    broker_publishes: str = ""
    """Comma-separated types of events."""
    broker_consumes: dict[str, ConsumeSettings] = Field(default_factory=dict)
    """JSON, by type of event."""
    broker_prefetch: int = Field(default=8, ge=1, le=1000)
    """Unacknowledged messages that the broker may send ahead, per queue."""


class TokenSettings(ServiceSettings):
    """A service that verifies access tokens."""

    jwt_public: SecretStr | None = None
    """PEM public keys, one after the other: the present one and, while keys are changed, the other one."""
    jwt_issuer: str = "tandem-users"
    jwt_audience: str = "tandem-shop"
