"""Everything around the streaming job: the wire, the topics, publishing to them, and the lake written from them."""
