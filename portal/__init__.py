"""The Joint Projects Portal: joint projects of industrial clusters, from the first draft to the last rouble."""
