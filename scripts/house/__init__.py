"""The house's own tools: what the verbs in scripts/ share. Standard library only.

Nothing here is part of the `headwater` package. A verb imports these modules before anything
is installed, so they may use nothing but Python 3.11 itself; `policy_*` modules alone run inside
the virtual environment and may use `packaging`.
"""
