"""Many runs: grids, searches, successive halving, and their table and map."""
