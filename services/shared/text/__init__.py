"""Text as people read it: where a sentence ends, signs nobody sees, Chinese scripts."""
