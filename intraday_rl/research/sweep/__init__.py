"""The verdict over everything that was tried: a sweep always finds a winner; what is it worth?

sources   which sweeps, runs and tags are meant
jobs      what each of their jobs left on disk, the failed and the abandoned included
trials    jobs -> worlds -> trials: one daily series per configuration
names     the settings by which worlds and trials differ
judging   a world's numbers: deflated Sharpe, PBO, the choice by validation, the ranking
words     the same in plain sentences
page      report.html
record    MLflow
task      `task=verdict`, and what a multirun calls at its end
"""
