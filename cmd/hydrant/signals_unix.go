//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

func notifyState(c chan<- os.Signal) { signal.Notify(c, syscall.SIGHUP, syscall.SIGUSR1) }

func isReload(s os.Signal) bool { return s == syscall.SIGHUP }
