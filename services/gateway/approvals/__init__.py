"""Approvals: a second person is asked, paged and called until one answers; preapprovals approved beforehand; what is reviewed."""
