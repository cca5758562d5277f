"""The configuration files that the launcher writes: supervisord's and the queue server's."""

import os
import shlex
from pathlib import Path

from cli.home import Home, write_private
from cli.launcher.plan import Launch, Program, working_directory

_SUPERVISORD = """\
[supervisord]
logfile=log/supervisord.log
logfile_maxbytes=5MB
logfile_backups=2
pidfile=run/supervisord.pid
childlogdir=log
minfds=1024
{user}
[unix_http_server]
file={socket}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""

_PROGRAM = """
[program:{name}]
command={command}
directory={directory}
process_name={process}
numprocs={count}
autostart=false
autorestart=true
startsecs=2
startretries=4
stopsignal=TERM
stopwaitsecs={stop_seconds}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile=log/{process}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
"""

_VALKEY = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {directory}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize no
set-proc-title no
logfile ""
"""


def write_configuration(launch: Launch) -> None:
    """Write both files, readable by their owner alone: the queue server's holds its password."""
    write_private(configuration_file(launch.home), supervisord_conf(launch))
    write_private(launch.home.valkey / "valkey.conf", valkey_conf(launch))


def configuration_file(home: Home) -> Path:
    return home.run / "supervisord.conf"


def supervisord_conf(launch: Launch) -> str:
    home = launch.home
    head = _SUPERVISORD.format(
        socket=_escaped(home.socket),
        user="user=root\n" if os.getuid() == 0 else "",
    )  # fmt: skip
    return head + "".join(_section(program, home) for program in (launch.queue, *launch.services))


def valkey_conf(launch: Launch) -> str:
    directory = str(launch.home.valkey).replace("\\", "\\\\").replace('"', '\\"')
    return _VALKEY.format(port=launch.queue_port, password=launch.queue_password, directory=f'"{directory}"')


def _section(program: Program, home: Home) -> str:
    return _PROGRAM.format(
        name=program.name,
        command=_escaped(shlex.join(program.command)),
        directory=_escaped(working_directory(home)),
        process=program.name if program.count == 1 else "%(program_name)s_%(process_num)d",
        count=program.count,
        stop_seconds=program.stop_seconds,
    )


def _escaped(value: object) -> str:
    """supervisord expands `%(name)s`, and takes ` ;` for the beginning of a comment."""
    text = str(value).replace("%", "%%")
    if " ;" in text or "\n" in text:
        raise ValueError(f"{value} cannot stand in supervisord's configuration")
    return text
