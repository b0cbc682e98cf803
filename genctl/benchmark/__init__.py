"""How fast is this machine, and how much of it does genctl use?"""
