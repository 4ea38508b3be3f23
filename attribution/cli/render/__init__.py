"""How answers are shown: tables for people, JSON and CSV for programs, the graph as a picture."""
