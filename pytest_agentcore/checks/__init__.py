"""Whether tasks can be trusted: their checkers accept what is right, reject what is wrong and break on nothing."""
