"""The fuzzer: every mapping of the knowledge base is executed in the source and in the target framework, and compared.

`domain` draws arguments from the types of a hub row, `spelling` writes the source text, `prove` converts it with the
real pipeline and has both sides run in `worker` processes, `report` keeps what came of it.
"""
