"""Contracts: every value that crosses a process or outlives one."""
