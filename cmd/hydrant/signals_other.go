//go:build !unix

package main

import "os"

// There are no such signals here.
func notifyState(chan<- os.Signal) {}

func isReload(os.Signal) bool { return false }
