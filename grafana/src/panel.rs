//! One panel: a title, a question, and what a bad answer means.
