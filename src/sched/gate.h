/* Tells the supervisor which model's engine code runs, so that a crash has an address. A plain value. */
#ifndef AL_SCHED_GATE_H
#define AL_SCHED_GATE_H

struct al_gate {
  /* Called on the thread that is about to enter (true) or has left (false) the engine; nullptr: nobody listens. */
  void (*in_engine)(void *user, const char *model_id, bool inside);
  void *user;
  const char *model_id; /* borrowed */
};

static inline void al_gate_enter(const struct al_gate *gate)
{
  if (gate->in_engine != nullptr)
    gate->in_engine(gate->user, gate->model_id, true);
}

static inline void al_gate_leave(const struct al_gate *gate)
{
  if (gate->in_engine != nullptr)
    gate->in_engine(gate->user, gate->model_id, false);
}

#endif
