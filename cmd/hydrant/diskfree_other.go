//go:build !linux && !darwin

package main

// diskFree is not known here.
func diskFree(string) (int64, bool) { return 0, false }
