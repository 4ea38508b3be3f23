"""The streaming job's entry: `flink run -py jobs/attribute_flows.py -- --config stream.toml`."""

from attribution.stream.job.main import main

if __name__ == "__main__":
    main()
