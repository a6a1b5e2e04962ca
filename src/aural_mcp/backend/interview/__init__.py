"""The interview itself: a candidate's pages, what is said next, what is stored, who scores."""
