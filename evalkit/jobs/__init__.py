"""What a task is and how its shards are mapped."""
