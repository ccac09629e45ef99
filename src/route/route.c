#include "route/private.h"
