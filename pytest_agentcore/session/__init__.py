"""What pytest does once a model is given: collect trials, run them, judge, record and show them."""
