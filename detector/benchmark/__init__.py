"""What an analysis costs: its stages against their lower bounds, and what else a user would measure."""
