package main

import "context"

func rotate(ctx context.Context, s *soak) (result, error) { return nil, nil }
