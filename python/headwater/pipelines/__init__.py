"""What works beside the forwarding process: supervised children that package, and what they write."""
