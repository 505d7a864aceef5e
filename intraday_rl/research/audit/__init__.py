"""Does any number of a finished run look ahead? A proof by perturbation, stage by stage.

| file | question |
|---|---|
| `knowledge` | which numbers are there, and when is each known? |
| `perturb` | what else could have happened after that? |
| `playback` | what would the same pipeline have done then? |
| `sample` | at which times is it asked? |
| `prove` | did a number change that was known, or stay that had to change? |
| `checks` | did anything fitted or chosen see days it must not see? |
| `task` | `task=audit`: one finished run, all of the above |
"""
