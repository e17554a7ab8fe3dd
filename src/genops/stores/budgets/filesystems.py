"""Which kind of file system a path is on: SQLite's locks and shared memory do not work over a network."""

from __future__ import annotations

from pathlib import Path

__all__ = ["filesystem_of", "is_network"]

_MOUNTS = Path("/proc/self/mounts")
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre", "beegfs", "gpfs", "9p", "davfs"}
    | {"fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.glusterfs", "fuse.ceph", "fuse.blobfuse2"}
)


def is_network(kind: str | None) -> bool:
    """Whether a file system of `kind` is served over a network."""
    return kind in _NETWORK


def filesystem_of(path: Path, mounts: str | None = None) -> str | None:
    """The kind of the file system that `path` is on, or would be; None where the system does not tell (not Linux).

    `mounts` is the text of /proc/self/mounts.
    """
    if mounts is None:
        try:
            mounts = _MOUNTS.read_text()
        except OSError:
            return None
    wanted = path.resolve()
    best: tuple[int, str] | None = None
    for line in mounts.splitlines():
        _, point, kind, *_ = line.split(" ")
        place = Path(point.encode().decode("unicode_escape"))
        depth = len(place.parts)
        if wanted.is_relative_to(place) and (best is None or depth >= best[0]):
            best = (depth, kind)
    return best[1] if best is not None else None
