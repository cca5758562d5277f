"""What a recipe means for a base model, by arithmetic alone: which layers learn, what is impossible, what it will cost.

Here and not in the training service, because the gateway answers these questions before any work starts.
"""
