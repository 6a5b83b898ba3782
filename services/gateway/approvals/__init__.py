"""Approvals: a second person is asked, paged and called until one answers; lanes approved beforehand; what is reviewed."""
