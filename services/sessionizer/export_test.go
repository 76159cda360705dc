package sessionizer

// SmallCache has decoded states leave memory with every second transaction, so that
// they are read from their rows again.
func SmallCache(o *Options) { o.cacheBytes = 1 }
