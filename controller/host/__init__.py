"""What a container consists of on its chassis, and how it is brought to what is wanted."""
