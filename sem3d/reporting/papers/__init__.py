"""Tables that papers publish, with ours beside them: one module a paper.

Each module has ``published_table(reviews)``, which takes the reviews of sweeps and returns the rows and columns for
:func:`sem3d.reporting.tables.format_table`; it raises :class:`sem3d.errors.UserError` for sweeps of something else. A method
names its own as a string, such as ``"sem3d.reporting.papers.ssr:published_table"``.
"""
