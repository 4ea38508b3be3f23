"""The Kafka client, its settings and metrics, and the set-up of topics."""
