"""What lies under `paths.outputs`: what is finished, what is not and why, what may go.

survey   one pass over the folders: every run with the state of each fold and seed
status   `task=status`: shows it
clean    `task=clean`: removes what no finished or running work needs
"""
